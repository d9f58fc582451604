/* address.h -- mail addresses: of the envelope (RFC 5321) and of header fields (RFC 5322), parsed and written.
 *
 * An Address is a pair. The local part is stored unquoted, as the octets it means; the domain is a lower-case A-label
 * without trailing dot, or an address literal in brackets. Nothing here re-parses a local part: `%`, `!` and quoted `@`
 * stay text. Restante never looks further than these forms to decide where a message goes.
 *
 * Not here: what exists and where it goes (directory, router).
 *
 * Threads  any. Memory: results live in the caller's arena and may point into the input span, which must live as long.
 * RFC      5321 §4.1.2, §4.5.3.1; 5322 §3.4, §4.4; 6531 (SMTPUTF8); 6532; 5890 (A-labels).
 */
#pragma once

#include "base/arena.h"
#include "base/scan.h"

#define ADDRESS_LOCAL_MAX  64   /* octets, RFC 5321 §4.5.3.1.1 */
#define ADDRESS_DOMAIN_MAX 255  /* §4.5.3.1.2                  */
#define ADDRESS_PATH_MAX   1000 /* a whole path as it arrives, source route included: longer is refused unread */

typedef struct Address {
        Span local;             /* unquoted; empty only for the null sender                        */
        Span domain;            /* lower-case A-label or "[literal]"; empty: null sender or a bare name */
} Address;

static inline gboolean
address_is_null(const Address *a)
{
        return a->local.len == 0 && a->domain.len == 0;
}

typedef enum AddressAnswer {
        ADDRESS_BAD_SYNTAX = 0, /* 5.1.3 (recipient) or 5.1.7 (sender)                          */
        ADDRESS_TOO_LONG,       /* a part over its limit: same codes                            */
        ADDRESS_BAD_DOMAIN,     /* labels, IDNA or literal wrong: 5.1.2 / 5.1.8                 */
        ADDRESS_NOT_ASCII,      /* needs SMTPUTF8, which the transaction has not: 5.6.7         */
        ADDRESS_OK,
} AddressAnswer;

/* Read "<path>" of MAIL or RCPT at the cursor, which is left behind the '>' . A source route (`@a,@b:`) is read and dropped
 * (RFC 5321 §4.1.2 and appendix C); "<>" is the null sender; "<postmaster>" a bare name with empty domain, allowed for
 * postmaster only (§4.5.1, any case). allow_utf8: the transaction has SMTPUTF8. */
AddressAnswer address_scan_path(Arena *arena, Scan *s, gboolean allow_utf8, Address *ret);

/* The same without brackets and nothing behind: what administrators type, what multidrop headers hold after unwrapping. */
AddressAnswer address_parse(Arena *arena, Span text, gboolean allow_utf8, Address *ret);

/* A domain alone -> lower-case A-label; IDNA 2008 through libidn2 for U-labels; one trailing dot dropped; underscores in
 * labels allowed (the world has them); at most 255 octets, labels of 63. "[...]" literals are checked and lower-cased. */
AddressAnswer address_parse_domain(Arena *arena, Span text, Span *ret);

/* local@domain with the local part quoted where RFC 5321 wants it; "" for the null sender, the bare name without '@'. */
Span address_text(Arena *arena, const Address *a);
gboolean address_equal(const Address *a, const Address *b);     /* both parts without ASCII case: what routing means by equal */
Address address_copy(Arena *arena, const Address *a);

/* Header fields ------------------------------------------------------------------------------------------------- */

typedef struct ListedAddress {  /* one entry of an address list */
        Span display_name;      /* decoded to UTF-8 (RFC 2047), comments dropped; may be empty  */
        Address address;
        Span group;             /* name of the group it stands in, else empty                   */
        gboolean is_valid;      /* FALSE: text that is no address, kept in display_name         */
} ListedAddress;

#define ADDRESS_LIST_MAX 10000

/* Read an address-list body (To, Cc, From, ...) as the world writes it: groups, comments, obsolete routes and dots, quoted
 * strings, folding, semicolons, empty elements. Never fails on syntax: what can't be read becomes an invalid ListedAddress and
 * reading goes on at the next comma. *ret_n at most ADDRESS_LIST_MAX; FALSE when the arena or that limit ran over (what was
 * read so far is given). Empty groups yield one ListedAddress with empty address and the group's name. */
gboolean address_list_parse(Arena *arena, Span body, ListedAddress **ret, gsize *ret_n);
