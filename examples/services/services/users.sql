-- Run at every start, by the user mysql, who must be able to read it. The password is for the
-- example alone: change it, here and in whatever uses it.
CREATE DATABASE IF NOT EXISTS logbook;
CREATE USER IF NOT EXISTS 'logbook'@'%' IDENTIFIED BY 'change-me';
GRANT ALL ON logbook.* TO 'logbook'@'%';
