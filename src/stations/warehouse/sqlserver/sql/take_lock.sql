-- It belongs to the transaction and ends with it. A result below 0 is no error by itself: whoever asks must look.
DECLARE @result int;
EXEC @result = sp_getapplock @Resource = @P1, @LockMode = @P2, @LockOwner = N'Transaction', @LockTimeout = @P3;
SELECT @result;
