-- A unit whose counts were taken back keeps its row: a message of the same version must not count it again.
ALTER TABLE "millrace_unit" ADD COLUMN "retracted_at" TEXT;
