/* The tables of the catalog, and what is asked and told in SQL. For catalog.c alone. */
#ifndef NC_STORE_CATALOG_SQL_H
#define NC_STORE_CATALOG_SQL_H

#include "store/catalog.h"

static const char schema[] =
	"CREATE TABLE node(id TEXT PRIMARY KEY, parent TEXT NOT NULL, kind INTEGER NOT NULL, created INTEGER NOT "
	"NULL,"
	" created_nsec INTEGER NOT NULL, size INTEGER NOT NULL, diff_id TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX node_parent ON node(parent, id) WHERE parent <> '';"
	"CREATE INDEX node_diff_id ON node(diff_id, id) WHERE diff_id <> '';"
	"CREATE INDEX node_created ON node(created DESC, created_nsec DESC, id) WHERE kind & 14;"
	"CREATE INDEX node_old ON node(parent, id) WHERE kind & 4;"
	"CREATE INDEX node_damaged ON node(parent) WHERE kind & 8;"
	"CREATE TABLE name(name TEXT PRIMARY KEY, id TEXT NOT NULL, manifest TEXT NOT NULL, list TEXT NOT NULL)"
	" WITHOUT ROWID;"
	"CREATE INDEX name_id ON name(id, name);"
	"CREATE TABLE document(digest TEXT NOT NULL, image TEXT NOT NULL, PRIMARY KEY(digest, image)) WITHOUT ROWID;"
	"CREATE INDEX document_image ON document(image);"
	"CREATE TABLE blob(digest TEXT NOT NULL, image TEXT NOT NULL, PRIMARY KEY(digest, image)) WITHOUT ROWID;"
	"CREATE INDEX blob_image ON blob(image);"
	"CREATE TABLE member(layer TEXT NOT NULL, image TEXT NOT NULL, PRIMARY KEY(layer, image)) WITHOUT ROWID;"
	"CREATE INDEX member_image ON member(image);"
	/* how many images have a layer, counted as they come and go: a base may have ten thousand */
	"CREATE TABLE users(layer TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TRIGGER member_comes AFTER INSERT ON member BEGIN INSERT INTO users VALUES(new.layer, 1)"
	" ON CONFLICT(layer) DO UPDATE SET count = count + 1; END;"
	"CREATE TRIGGER member_goes AFTER DELETE ON member BEGIN UPDATE users SET count = count - 1 WHERE layer = old.layer;"
	" DELETE FROM users WHERE layer = old.layer AND count = 0; END;"
	"PRAGMA user_version = 3;";

#define NODE_COLUMNS "n.id, n.parent, n.kind, n.size, n.diff_id"

/* No name has a space. */
#define NAMES_OF "SELECT group_concat(name, ' ') FROM name WHERE id = "
#define IMAGE_COLUMNS NODE_COLUMNS ", (" NAMES_OF "n.id)"
#define IS_IMAGE "n.kind & 14 AND (n.kind & 10 OR EXISTS (SELECT 1 FROM name WHERE name.id = n.id) OR" \
		 " NOT EXISTS (SELECT 1 FROM node c WHERE c.parent = n.id AND c.parent <> ''))"
#define NEWEST_FIRST "n.created DESC, n.created_nsec DESC, n.id"

/* What is told comes after what is asked. */
enum telling {
	PUT_NODE = NC_QUESTION_COUNT,
	PUT_DOCUMENT,
	PUT_BLOB,
	PUT_MEMBERS,
	PUT_ALL_MEMBERS,
	PUT_NAME,
	DROP_NODE,
	DROP_DOCUMENTS,
	DROP_BLOBS,
	DROP_MEMBERS,
	DROP_NAME,
	BEGIN,
	COMMIT,
	STATEMENT_COUNT
};

static const char *const texts[STATEMENT_COUNT] = {
	[NC_ASK_NODE] = "SELECT " NODE_COLUMNS " FROM node n WHERE n.id = ?1",
	[NC_ASK_PREFIX] = "SELECT id FROM node WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT 6",
	[NC_ASK_PREFIX_IMAGES] = "SELECT id FROM node WHERE id >= ?1 AND id < ?2 AND kind & 14 ORDER BY id LIMIT 6",
	[NC_ASK_NODES] = "SELECT " NODE_COLUMNS " FROM node n ORDER BY n.id",
	[NC_ASK_HEADS] = "SELECT " NODE_COLUMNS " FROM node n WHERE NOT EXISTS (SELECT 1 FROM node c WHERE"
			 " c.parent = n.id AND c.parent <> '') ORDER BY n.id",
	[NC_ASK_CHILDREN] =
		"SELECT " NODE_COLUMNS " FROM node n WHERE n.parent = ?1 AND n.parent <> '' ORDER BY n.id",
	[NC_ASK_OTHER_CHILD] = "SELECT id FROM node WHERE parent = ?1 AND parent <> '' AND id <> ?2 LIMIT 1",
	[NC_ASK_IMAGES] = "SELECT " IMAGE_COLUMNS " FROM node n WHERE " IS_IMAGE " ORDER BY " NEWEST_FIRST,
	[NC_ASK_IMAGES_FROM] = "SELECT " IMAGE_COLUMNS " FROM node n WHERE n.id >= ?1 AND n.id < ?2 AND " IS_IMAGE
			       " ORDER BY +" NEWEST_FIRST,
	[NC_ASK_IMAGES_NAMED] = "SELECT " IMAGE_COLUMNS " FROM node n WHERE n.id IN (SELECT id FROM name WHERE"
				" name >= ?1 AND name < ?2) AND " IS_IMAGE " ORDER BY +" NEWEST_FIRST,
	/* downwards from those whose parent is of another kind or none: who is not met hangs on itself or on nothing */
	[NC_ASK_LOST] =
		"WITH RECURSIVE down(id) AS (SELECT n.id FROM node n WHERE n.kind & 4 AND (n.parent = '' OR EXISTS"
		" (SELECT 1 FROM node p WHERE p.id = n.parent AND NOT p.kind & 4))"
		" UNION SELECT n.id FROM down JOIN node n ON n.parent = down.id WHERE n.kind & 4)"
		" SELECT n.id FROM node n WHERE n.kind & 4 AND n.id NOT IN (SELECT id FROM down) AND"
		" NOT EXISTS (SELECT 1 FROM name WHERE name.id = n.id) AND"
		" EXISTS (SELECT 1 FROM node c WHERE c.parent = n.id AND c.parent <> '') ORDER BY +n.id",
	[NC_ASK_ADRIFT] = "SELECT id FROM node WHERE kind & 8 AND parent = '' LIMIT 1",
	[NC_ASK_BY_DIFF_ID] = "SELECT id FROM node WHERE diff_id = ?1 AND diff_id <> '' LIMIT 1",
	[NC_ASK_BY_DOCUMENT] = "SELECT image FROM document WHERE digest = ?1 ORDER BY image",
	[NC_ASK_NAMES] = "SELECT name, manifest, list FROM name WHERE id = ?1 ORDER BY name",
	[NC_ASK_ALL_NAMES] = NAMES_OF "?1",
	/* the depth ends chains that damage has closed to a ring */
	[NC_ASK_CHAIN] =
		"WITH RECURSIVE up(id, parent, kind, size, diff_id, depth) AS ("
		"SELECT " NODE_COLUMNS ", 0 FROM node n WHERE n.id = ?1 UNION ALL "
		"SELECT " NODE_COLUMNS ", depth + 1 FROM up JOIN node n ON n.id = up.parent WHERE depth < 4096)"
		" SELECT id, parent, kind, size, diff_id, (SELECT count FROM users WHERE layer = up.id)"
		" FROM up ORDER BY depth",
	[NC_ASK_BLOB_USERS] = "SELECT image FROM blob WHERE digest = ?1 LIMIT 1",
	[NC_ASK_COUNTS] =
		"SELECT (SELECT count(*) FROM node n WHERE n.kind & 6 AND (n.kind & 2 OR EXISTS (SELECT 1 FROM"
		" name WHERE name.id = n.id) OR NOT EXISTS (SELECT 1 FROM node c WHERE c.parent = n.id AND"
		" c.parent <> ''))), (SELECT count(*) FROM node WHERE kind & 1), (SELECT count(*) FROM name)",
	[PUT_NODE] = "INSERT OR REPLACE INTO node VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[PUT_DOCUMENT] = "INSERT OR IGNORE INTO document VALUES(?1, ?2)",
	[PUT_BLOB] = "INSERT OR IGNORE INTO blob VALUES(?1, ?2)",
	[PUT_MEMBERS] = "WITH RECURSIVE up(id) AS (SELECT parent FROM node WHERE id = ?1 AND parent <> ''"
			" UNION SELECT n.parent FROM up JOIN node n ON n.id = up.id WHERE n.parent <> '')"
			" INSERT OR IGNORE INTO member SELECT id, ?1 FROM up",
	[PUT_ALL_MEMBERS] =
		"WITH RECURSIVE up(id, image) AS (SELECT parent, id FROM node WHERE kind & 2 AND parent <> ''"
		" UNION SELECT n.parent, up.image FROM up JOIN node n ON n.id = up.id WHERE n.parent <> '')"
		" INSERT OR IGNORE INTO member SELECT id, image FROM up",
	[PUT_NAME] = "INSERT OR REPLACE INTO name VALUES(?1, ?2, ?3, ?4)",
	[DROP_NODE] = "DELETE FROM node WHERE id = ?1",
	[DROP_DOCUMENTS] = "DELETE FROM document WHERE image = ?1",
	[DROP_BLOBS] = "DELETE FROM blob WHERE image = ?1",
	[DROP_MEMBERS] = "DELETE FROM member WHERE image = ?1",
	[DROP_NAME] = "DELETE FROM name WHERE name = ?1",
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
};

#endif
