DELETE FROM {merged};
