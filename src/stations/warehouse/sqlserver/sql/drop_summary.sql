DROP TABLE {part};
DROP TABLE {table};
