SELECT {keys}
FROM ({source}) AS "source"
GROUP BY {keys}
HAVING typeof({merged}) = {overflow}
LIMIT 1
