INSERT INTO {merged} ({merged_names})
SELECT {merged_values}
FROM (
{source}
) AS [source]
GROUP BY {groups};
