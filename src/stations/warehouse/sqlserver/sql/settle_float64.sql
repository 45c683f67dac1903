-- Where a float holds the total it becomes one number. What it does not hold keeps its large side.
UPDATE {merged} SET
  {measure} = (COALESCE({measure}, 0) * 5.421010862427522e-20 + {large}) * 1.8446744073709552e19,
  {large} = NULL
WHERE ABS(COALESCE({measure}, 0) * 5.421010862427522e-20 + {large}) <= 9.745314011399998e288;
