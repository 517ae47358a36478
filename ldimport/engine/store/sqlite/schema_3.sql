-- why an image failed, as a code of ldimport.causes; NULL in what ended before
ALTER TABLE item ADD COLUMN cause TEXT;
