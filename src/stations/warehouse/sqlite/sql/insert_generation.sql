INSERT INTO main."millrace_pipeline_generation" ("feed", "generation", "fingerprint", "since") VALUES (?1, ?2, ?3, ?4)
