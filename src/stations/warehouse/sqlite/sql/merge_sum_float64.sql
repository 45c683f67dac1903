-- A sum beyond the largest float is infinite, or NULL where SQLite makes it of NaN.
CASE
  WHEN COUNT({measure}) = 0 THEN NULL
  WHEN ABS(SUM({measure})) <= 1.7976931348623157e308 THEN SUM({measure})
  ELSE 'overflow'
END
