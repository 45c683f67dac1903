-- The order of additions changes the last digits: sums agree within 1e-9 of what was added up, whatever its signs. The word
-- for an overflow never agrees.
(("has".{measure} IS NULL) <> ("should".{measure} IS NULL)
  OR typeof("should".{measure}) = 'text'
  OR ABS("has".{measure} - "should".{measure}) > 1e-9 * "should".{magnitude})
