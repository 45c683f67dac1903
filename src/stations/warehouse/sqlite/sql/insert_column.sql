INSERT INTO main."millrace_summary_column" ("table_name", "position", "column_name", "type", "merge")
VALUES (?1, ?2, ?3, ?4, ?5)
