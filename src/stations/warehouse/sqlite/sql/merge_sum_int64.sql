-- Exact in 64 bits whatever the order: the upper and the lower halves are summed apart, so that only a total that does
-- not fit overflows. SQLite's own SUM fails on a partial sum, and + turns to floats. The word fits no INTEGER column of
-- a STRICT table: the statement fails.
CASE
  WHEN COUNT({measure}) = 0 THEN NULL
  WHEN SUM({measure} >> 32) + (SUM({measure} & 4294967295) >> 32) BETWEEN -2147483648 AND 2147483647
  THEN ((SUM({measure} >> 32) + (SUM({measure} & 4294967295) >> 32)) << 32) | (SUM({measure} & 4294967295) & 4294967295)
  ELSE 'overflow'
END
