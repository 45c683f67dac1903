DELETE FROM {touched};
