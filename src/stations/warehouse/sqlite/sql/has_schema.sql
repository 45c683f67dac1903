SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE "type" = 'table' AND "name" = 'millrace_schema_version')
