-- A commit that was answered is on the disk, whatever loses power.
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
-- 16 MiB of pages, then the transaction spills into the log.
PRAGMA cache_size = -16384;
-- The log of one large commit does not stay large.
PRAGMA journal_size_limit = 67108864;
