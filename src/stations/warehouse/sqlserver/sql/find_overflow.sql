SELECT TOP (1) CASE{overflow_cases} END, {keys}
FROM {merged}
WHERE {overflows}
ORDER BY {keys};
