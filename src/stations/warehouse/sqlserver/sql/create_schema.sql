CREATE SCHEMA [millrace];
