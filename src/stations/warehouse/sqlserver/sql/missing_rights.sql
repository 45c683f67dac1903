-- Those of the rights that the app needs on @P1, a securable of class @P2, which this user has not.
SELECT [needed].[permission]
FROM (SELECT N'SELECT' AS [permission] UNION ALL SELECT N'INSERT' UNION ALL SELECT N'UPDATE' UNION ALL SELECT N'DELETE') AS [needed]
WHERE HAS_PERMS_BY_NAME(@P1, @P2, [needed].[permission]) = 0;
