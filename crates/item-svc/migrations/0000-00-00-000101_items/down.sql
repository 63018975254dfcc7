DROP TABLE restocks;
DROP TABLE items;
