INSERT INTO {touched} ({keys})
SELECT DISTINCT {stored_keys} FROM {incoming} AS [stored]
WHERE NOT EXISTS (SELECT 1 FROM {touched} AS [touched] WHERE {stored_matches});
