-- What every connection of ours is set to. The ANSI options are what filtered and computed-column indexes need of a writer;
-- an error ends the transaction, whatever its number; and nobody waits for a row lock without end.
SET ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL, QUOTED_IDENTIFIER ON;
SET NUMERIC_ROUNDABORT OFF;
SET NOCOUNT ON;
SET XACT_ABORT ON;
SET LOCK_TIMEOUT 60000;
SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
