-- The order of additions changes the last digits: sums agree within 1e-9 of what was added up, whatever its signs. All of
-- it is made smaller first, so that no difference of large numbers overflows.
(([has].{measure} IS NULL AND [should].{measure} IS NOT NULL)
  OR ([has].{measure} IS NOT NULL AND [should].{measure} IS NULL)
  OR ABS([has].{measure} * 5.421010862427522e-20 - [should].{measure} * 5.421010862427522e-20)
     > 1e-9 * [should].{magnitude})
