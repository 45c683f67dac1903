DROP TABLE main.{part};
DROP TABLE main.{table};
