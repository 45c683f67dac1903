INSERT INTO main."millrace_schema_version" ("version", "since") VALUES (?1, ?2)
