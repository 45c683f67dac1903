-- What is beyond a step goes up, both sides get one sign, and where 38 digits hold it they become one number. What they do
-- not hold keeps its upper side.
UPDATE {merged} SET
  {upper} = {upper} + CAST(({measure} - {measure} % {step}) / {step} AS decimal(19, 0)),
  {measure} = {measure} % {step}
WHERE {measure} IS NOT NULL;

UPDATE {merged} SET
  {upper} = {upper} - CASE WHEN {upper} > 0 THEN 1 ELSE -1 END,
  {measure} = {measure} + CASE WHEN {upper} > 0 THEN {step} ELSE -{step} END
WHERE ({upper} > 0 AND {measure} < 0) OR ({upper} < 0 AND {measure} > 0);

UPDATE {merged} SET
  {measure} = CAST({upper_value} AS decimal(38, {scale})) + {measure},
  {upper} = 0
WHERE ABS({upper}) < 10000000000000000000;
