-- Run at every start. The password is for the example alone: change it, and give this file the
-- mode '0640' and a place outside the repository.
CREATE DATABASE IF NOT EXISTS logbook;
CREATE USER IF NOT EXISTS 'logbook'@'%' IDENTIFIED BY 'change-me';
GRANT ALL ON logbook.* TO 'logbook'@'%';
