/* operations.h -- one line an operation; each stands with its handler in operations_NOUN.c. */
#pragma once

#include "admin/internal.h"

extern const Operation DOMAIN_ADD, DOMAIN_LIST, DOMAIN_SHOW, DOMAIN_SET, DOMAIN_REMOVE;
extern const Operation ACCOUNT_ADD, ACCOUNT_LIST, ACCOUNT_SHOW, ACCOUNT_SET, ACCOUNT_PASSWORD, ACCOUNT_REMOVE;
extern const Operation ALIAS_ADD, ALIAS_ADD_GROUP, ALIAS_ADD_BOUNCER, ALIAS_LIST, ALIAS_REMOVE;
extern const Operation ROUTE_ADD, ROUTE_LIST, ROUTE_REMOVE, ROUTE_EXPLAIN;
extern const Operation FETCH_ADD, FETCH_LIST, FETCH_SHOW, FETCH_SET, FETCH_REMOVE, FETCH_RUN;
extern const Operation QUEUE_LIST, QUEUE_SHOW;
extern const Operation UNKNOWN_LIST, GUESS_LIST, GUESS_RELEASE;
extern const Operation TRACE, INJECT, VERIFY, CHECK;
