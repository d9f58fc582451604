/* scram.c -- messages of SCRAM (RFC 5802 §7) and the arithmetic behind them (§3).
 *
 *      SaltedPassword  = PBKDF2(password, salt, i)       StoredKey = H(HMAC(SaltedPassword, "Client Key"))
 *      ClientSignature = HMAC(StoredKey, AuthMessage)    ServerKey = HMAC(SaltedPassword, "Server Key")
 *      ClientProof     = ClientKey xor ClientSignature
 *
 * The server knows StoredKey; from a proof it gets ClientKey, whose hash must be StoredKey.
 */
#include "auth/scram.h"

#include "auth/gs2.h"
#include "base/text.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#define KEYS_PREFIX "SCRAM-SHA-256$"
G_STATIC_ASSERT(SCRAM_NAME_MAX == GS2_NAME_MAX);

/* Arithmetic ------------------------------------------------------------------------------------------------------ */

static void
hmac(Span key, Span data, guint8 ret[SCRAM_KEY_OCTETS])
{
        unsigned int n = 0;
        const guint8 *done = HMAC(EVP_sha256(), key.data, (int) key.len, data.data, data.len, ret, &n);

        g_assert(done != NULL && n == SCRAM_KEY_OCTETS); /* only without memory */
}

static Span
key_span(const guint8 key[SCRAM_KEY_OCTETS])
{
        return span_make(key, SCRAM_KEY_OCTETS);
}

/* RFC 3454 table B.1, and C.1.2 with its one character that is in both. */
static gboolean
is_mapped_to_nothing(gunichar c)
{
        return c == 0xad || c == 0x34f || c == 0x1806 || (c >= 0x180b && c <= 0x180d) || (c >= 0x200c && c <= 0x200d) ||
               c == 0x2060 || (c >= 0xfe00 && c <= 0xfe0f) || c == 0xfeff;
}

static gboolean
is_other_space(gunichar c)
{
        return c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200b) || c == 0x202f || c == 0x205f || c == 0x3000;
}

/* The mapping and normalisation of SASLprep. A password of nothing else than what goes stays as it is. */
static char *
prepare(Span password)
{
        g_autoptr(GString) mapped = g_string_sized_new(password.len);
        gunichar c;

        for (int n; (n = text_utf8_next(password, &c)) > 0; password = span_slice(password, (gsize) n, password.len))
                if (is_other_space(c))
                        g_string_append_c(mapped, ' ');
                else if (!is_mapped_to_nothing(c))
                        g_string_append_unichar(mapped, c);
        char *prepared = g_utf8_normalize(mapped->str, (gssize) mapped->len, G_NORMALIZE_NFKC);
        text_wipe(mapped->str, mapped->len);
        return prepared;
}

/* Keys ------------------------------------------------------------------------------------------------------------ */

gboolean
scram_keys_make(Span password, Span salt, guint iterations, ScramKeys *ret)
{
        guint8 salted[SCRAM_KEY_OCTETS], client[SCRAM_KEY_OCTETS];

        if (!text_is_utf8(password) || salt.len == 0 || salt.len > SCRAM_SALT_MAX || iterations == 0)
                return FALSE;
        char *prepared = prepare(password);
        gsize len = prepared != NULL ? strlen(prepared) : 0;
        gboolean is_made = len > 0 && PKCS5_PBKDF2_HMAC(prepared, (int) len, salt.data, (int) salt.len,
                                                        (int) iterations, EVP_sha256(), sizeof(salted), salted) == 1;
        if (is_made) {
                *ret = (ScramKeys){.salt_octets = salt.len, .iterations = iterations};
                memcpy(ret->salt, salt.data, salt.len);
                hmac(key_span(salted), span_of("Client Key"), client);
                (void) SHA256(client, sizeof(client), ret->stored_key);
                hmac(key_span(salted), span_of("Server Key"), ret->server_key);
        }
        text_wipe(prepared, len);
        g_free(prepared);
        text_wipe(salted, sizeof(salted));
        text_wipe(client, sizeof(client));
        return is_made;
}

char *
scram_keys_text(const ScramKeys *keys)
{
        g_autofree char *salt = g_base64_encode(keys->salt, keys->salt_octets);
        g_autofree char *stored = g_base64_encode(keys->stored_key, SCRAM_KEY_OCTETS);
        g_autofree char *server = g_base64_encode(keys->server_key, SCRAM_KEY_OCTETS);

        return g_strdup_printf(KEYS_PREFIX "%u:%s$%s:%s", keys->iterations, salt, stored, server);
}

/* Base64 of at most max octets into `ret`. */
static gboolean
decode_into(Span text, guint8 *ret, gsize max, gsize *ret_octets)
{
        g_autoptr(Arena) arena = arena_new(1024);
        Span octets;

        if (text.len > SCRAM_TEXT_MAX || !text_base64_decode(arena, text, max, &octets) || octets.len == 0)
                return FALSE;
        memcpy(ret, octets.data, octets.len);
        *ret_octets = octets.len;
        return TRUE;
}

gboolean
scram_keys_parse(Span text, ScramKeys *ret)
{
        Scan s = scan_from(text);
        ScramKeys keys = {.iterations = 0};
        Span salt, stored;
        gsize n_stored = 0, n_server = 0;
        guint64 iterations;

        if (!scan_word(&s, KEYS_PREFIX) || !scan_number(&s, SCRAM_ITERATIONS_MAX, &iterations) || iterations == 0 ||
            !scan_octet(&s, ':') || !scan_until(&s, '$', &salt) || !scan_octet(&s, '$') ||
            !scan_until(&s, ':', &stored) || !scan_octet(&s, ':') ||
            !decode_into(salt, keys.salt, SCRAM_SALT_MAX, &keys.salt_octets) ||
            !decode_into(stored, keys.stored_key, SCRAM_KEY_OCTETS, &n_stored) ||
            !decode_into(scan_rest(&s), keys.server_key, SCRAM_KEY_OCTETS, &n_server) || n_stored != SCRAM_KEY_OCTETS ||
            n_server != SCRAM_KEY_OCTETS)
                return FALSE;
        keys.iterations = (guint) iterations;
        *ret = keys;
        return TRUE;
}

/* The keys are octets for which nobody knows a proof: it would have to hash to them. */
void
scram_keys_of_nobody(Span secret, Span name, ScramKeys *ret)
{
        guint8 salt[SCRAM_KEY_OCTETS];

        *ret = (ScramKeys){.salt_octets = SCRAM_SALT_OCTETS, .iterations = SCRAM_ITERATIONS};
        hmac(secret, name, salt);
        memcpy(ret->salt, salt, SCRAM_SALT_OCTETS);
        hmac(secret, key_span(salt), ret->stored_key);
        hmac(secret, key_span(ret->stored_key), ret->server_key);
}

/* Messages -------------------------------------------------------------------------------------------------------- */

/* attr-val: a letter, "=", octets without comma. */
static gboolean
scan_attribute(Scan *s, guint8 *ret_letter, Span *ret_value)
{
        const guint8 *mark = scan_mark(s);

        if (scan_any(s, ret_letter) && octet_in(&CLASS_ALPHA, *ret_letter) && scan_octet(s, '=')) {
                if (!scan_until(s, ',', ret_value)) {
                        *ret_value = scan_rest(s);
                        (void) scan_skip(s, ret_value->len);
                }
                return TRUE;
        }
        scan_rewind(s, mark);
        return FALSE;
}

/* The attribute of this letter, and none other. */
static gboolean
scan_named(Scan *s, guint8 letter, Span *ret_value)
{
        const guint8 *mark = scan_mark(s);
        guint8 found;

        if (scan_attribute(s, &found, ret_value) && found == letter)
                return TRUE;
        scan_rewind(s, mark);
        return FALSE;
}

static gboolean
is_nonce(Span s)
{
        for (gsize i = 0; i < s.len; i++)
                if (s.data[i] < 0x21 || s.data[i] > 0x7e || s.data[i] == ',')
                        return FALSE;
        return s.len > 0 && s.len <= SCRAM_NONCE_MAX;
}

static const ScramBinding *
find_binding(const ScramChannel *channel, Span name)
{
        for (gsize i = 0; i < channel->n_bindings; i++)
                if (span_equal(name, span_of(channel->bindings[i].name)))
                        return &channel->bindings[i];
        return NULL;
}

/* What c= will have to be: the header, and behind it what the channel is bound to (§7, cbind-input). */
static ScramStep
bind(Scram *scram, const Gs2 *gs2, const ScramChannel *channel)
{
        const ScramBinding *binding = gs2->flag == 'p' ? find_binding(channel, gs2->binding) : NULL;
        g_autoptr(GByteArray) input = g_byte_array_new();

        if ((gs2->flag == 'p') != channel->is_plus || (gs2->flag == 'p' && binding == NULL))
                return SCRAM_MALFORMED;
        if (gs2->flag == 'y' && channel->has_plus)
                return SCRAM_REFUSED;
        g_byte_array_append(input, gs2->whole.data, (guint) gs2->whole.len);
        if (binding != NULL)
                g_byte_array_append(input, binding->octets, (guint) binding->n_octets);
        g_free(scram->bound);
        scram->bound = g_base64_encode(input->data, input->len);
        return SCRAM_OK;
}

ScramStep
scram_take_first(Scram *scram, Arena *arena, Span message, const ScramChannel *channel, Span *ret_name)
{
        Scan s = scan_from(message);
        Span name, nonce, authcid;
        Gs2 gs2;

        if (!gs2_scan(&s, arena, &gs2))
                return SCRAM_MALFORMED;
        Span bare = scan_rest(&s); /* begins with n=: an m= would be an extension that must be known */
        if (!scan_named(&s, 'n', &name) || !scan_octet(&s, ',') || !scan_named(&s, 'r', &nonce) || !is_nonce(nonce) ||
            (!scan_at_end(&s) && scan_peek(&s) != ',') || !gs2_read_name(arena, name, &authcid) ||
            memchr(bare.data, '\0', bare.len) != NULL)
                return SCRAM_MALFORMED;
        ScramStep step = bind(scram, &gs2, channel);
        if (step != SCRAM_OK)
                return step;
        scram->is_for_another = gs2.authzid.len > 0 && !span_equal_nocase(gs2.authzid, authcid);
        scram->nonce = span_dup(nonce);
        scram->transcript = span_dup(bare);
        *ret_name = authcid;
        return SCRAM_OK;
}

Span
scram_challenge(Scram *scram, Arena *arena, const ScramKeys *keys, const char *nonce)
{
        g_autofree char *salt = g_base64_encode(keys->salt, keys->salt_octets);
        g_autofree char *client_nonce = scram->nonce, *bare = scram->transcript;

        scram->keys = *keys;
        scram->nonce = g_strconcat(client_nonce, nonce, NULL);
        g_autofree char *message = g_strdup_printf("r=%s,s=%s,i=%u", scram->nonce, salt, keys->iterations);
        scram->transcript = g_strconcat(bare, ",", message, NULL);
        return arena_copy(arena, span_of(message));
}

/* client-final-message = channel-binding "," nonce ["," extensions] "," proof */
typedef struct FinalMessage {
        Span bound, nonce, proof;
        Span without_proof;
} FinalMessage;

static gboolean
scan_final(Span message, FinalMessage *ret)
{
        Scan s = scan_from(message);
        guint8 letter = 0;

        if (!scan_named(&s, 'c', &ret->bound) || !scan_octet(&s, ',') || !scan_named(&s, 'r', &ret->nonce))
                return FALSE;
        while (letter != 'p') {
                ret->without_proof = span_make(message.data, (gsize) (s.at - message.data));
                if (!scan_octet(&s, ',') || !scan_attribute(&s, &letter, &ret->proof))
                        return FALSE;
        }
        return scan_at_end(&s);
}

/* The proof against the keys; what the server proves with goes to `ret`. */
static gboolean
check_proof(const ScramKeys *keys, Span auth_message, const guint8 proof[SCRAM_KEY_OCTETS],
            guint8 ret[SCRAM_KEY_OCTETS])
{
        guint8 key[SCRAM_KEY_OCTETS], hash[SCRAM_KEY_OCTETS];

        hmac(key_span(keys->stored_key), auth_message, key);
        for (gsize i = 0; i < SCRAM_KEY_OCTETS; i++)
                key[i] ^= proof[i];
        (void) SHA256(key, sizeof(key), hash);
        hmac(key_span(keys->server_key), auth_message, ret);
        text_wipe(key, sizeof(key));
        return text_equal_secret(key_span(hash), key_span(keys->stored_key));
}

ScramStep
scram_take_final(Scram *scram, Arena *arena, Span message, Span *ret_last)
{
        guint8 proof[SCRAM_KEY_OCTETS], signature[SCRAM_KEY_OCTETS];
        gsize n_proof = 0;
        FinalMessage m;

        if (scram->transcript == NULL || !scan_final(message, &m) ||
            !decode_into(m.proof, proof, sizeof(proof), &n_proof) || n_proof != sizeof(proof))
                return SCRAM_MALFORMED;
        g_autoptr(GString) auth = g_string_new(scram->transcript);
        g_string_append_c(auth, ',');
        g_string_append_len(auth, (const char *) m.without_proof.data, (gssize) m.without_proof.len);
        gboolean is_right = check_proof(&scram->keys, span_make(auth->str, auth->len), proof, signature);
        if (!is_right || !span_equal(m.bound, span_of(scram->bound)) || !span_equal(m.nonce, span_of(scram->nonce)) ||
            scram->is_for_another)
                return SCRAM_REFUSED;
        g_autofree char *text = g_base64_encode(signature, sizeof(signature));
        *ret_last = span_of(arena_printf(arena, "v=%s", text));
        return ret_last->len > 0 ? SCRAM_OK : SCRAM_MALFORMED;
}

void
scram_done(Scram *scram)
{
        g_free(scram->bound);
        g_free(scram->nonce);
        g_free(scram->transcript);
        text_wipe(&scram->keys, sizeof(scram->keys));
        *scram = (Scram){.bound = NULL};
}
