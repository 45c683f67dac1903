INSERT INTO main."millrace_stream" ("unit_id", "feed", "namespace", "hub", "incarnation", "partition", "begins", "applied",
                                    "applied_enqueued_at")
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
