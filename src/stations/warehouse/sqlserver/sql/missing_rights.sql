-- Those of the rights that the app needs on the table @P1 which this user has not.
SELECT [needed].[permission]
FROM (SELECT N'SELECT' AS [permission] UNION ALL SELECT N'INSERT' UNION ALL SELECT N'UPDATE' UNION ALL SELECT N'DELETE') AS [needed]
WHERE HAS_PERMS_BY_NAME(@P1, N'OBJECT', [needed].[permission]) = 0;
