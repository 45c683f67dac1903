-- The same on the tables of schema `millrace`, with how many tables each is missing on. Each is asked for, as not every server
-- tells of a right on a schema.
SELECT [needed].[permission], COUNT(*)
FROM sys.tables AS [tables]
CROSS JOIN (SELECT N'SELECT' AS [permission] UNION ALL SELECT N'INSERT' UNION ALL SELECT N'UPDATE' UNION ALL SELECT N'DELETE') AS [needed]
WHERE SCHEMA_NAME([tables].[schema_id]) = N'millrace'
  AND HAS_PERMS_BY_NAME(N'[millrace].' + QUOTENAME([tables].[name]), N'OBJECT', [needed].[permission]) = 0
GROUP BY [needed].[permission]
ORDER BY [needed].[permission];
