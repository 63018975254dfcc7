DROP TABLE stacks;
DROP TABLE inventories;
