SELECT {keys}
FROM ({source}) AS "source"
GROUP BY {keys}
HAVING typeof({merged}) = 'text'
LIMIT 1
