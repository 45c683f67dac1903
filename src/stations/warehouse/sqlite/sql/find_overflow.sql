SELECT {keys}
FROM ({source}) AS "source"
GROUP BY {groups}
HAVING typeof({merged}) = {overflow}
LIMIT 1
