SELECT TOP (1) [generation], [fingerprint] FROM [millrace].[pipeline_generation]
WHERE [feed] = @P1
ORDER BY [generation] DESC;
