-- The name of the unit's file in container curated, where its feed keeps the typed rows.
ALTER TABLE "millrace_unit" ADD COLUMN "curated" TEXT;
ALTER TABLE "millrace_load_history" ADD COLUMN "curated" TEXT;

-- A unit whose counts were taken back keeps its row: a message of the same version must not count it again.
ALTER TABLE "millrace_unit" ADD COLUMN "retracted_at" TEXT;
