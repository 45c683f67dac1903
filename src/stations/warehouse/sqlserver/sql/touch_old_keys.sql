INSERT INTO {touched} ({keys})
SELECT DISTINCT {keys} FROM {part} WHERE [millrace_unit_id] = @P1;
