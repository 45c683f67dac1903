INSERT INTO main."millrace_stream_quarantine" ("feed", "name", "unit_id", "first", "last", "events")
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
