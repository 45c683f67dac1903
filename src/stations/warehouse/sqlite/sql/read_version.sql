SELECT MAX("version") FROM main."millrace_schema_version"
