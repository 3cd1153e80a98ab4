-- No turn is ended behind its host any longer.
DROP TABLE held;
