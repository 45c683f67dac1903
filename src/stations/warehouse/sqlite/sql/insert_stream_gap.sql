INSERT INTO main."millrace_stream_gap" ("unit_id", "first", "last", "reason", "recorded_at") VALUES (?1, ?2, ?3, ?4, ?5)
