SELECT CAST(ORIGINAL_LOGIN() AS nvarchar(256)), CAST(USER_NAME() AS nvarchar(256)), CAST(DB_NAME() AS nvarchar(256)),
  CAST(@@VERSION AS nvarchar(400));
