/* seal.c -- passwords of sources, sealed for the database.
 *
 * Format: nonce of 24 octets, then XChaCha20-Poly1305 of the password with the source's name as additional data, so
 * that a secret moved to another row does not open there. The key is a file outside the database.
 */
#include "fetch/internal.h"

#include "base/text.h"

#include <sodium.h>

#define NONCE_OCTETS crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_OCTETS crypto_aead_xchacha20poly1305_ietf_ABYTES

G_STATIC_ASSERT(SEAL_KEY_OCTETS == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);

Span
secret_seal(Arena *arena, const guint8 key[SEAL_KEY_OCTETS], const char *name, const char *password)
{
        gsize len = strlen(password);
        guint8 *out = arena_alloc(arena, NONCE_OCTETS + len + TAG_OCTETS);
        unsigned long long written = 0;

        if (out == NULL)
                return SPAN_EMPTY;
        random_octets(out, NONCE_OCTETS);
        crypto_aead_xchacha20poly1305_ietf_encrypt(out + NONCE_OCTETS, &written, (const guint8 *) password, len,
                                                   (const guint8 *) name, strlen(name), NULL, out, key);
        return span_make(out, NONCE_OCTETS + (gsize) written);
}

char *
secret_open(const guint8 key[SEAL_KEY_OCTETS], const char *name, Span sealed, GError **error)
{
        unsigned long long len = 0;

        if (sealed.len < NONCE_OCTETS + TAG_OCTETS) {
                (void) fault(error, FAULT_INPUT, "no password is set");
                return NULL;
        }
        char *password = g_malloc0(sealed.len);
        if (crypto_aead_xchacha20poly1305_ietf_decrypt((guint8 *) password, &len, NULL, sealed.data + NONCE_OCTETS,
                                                       sealed.len - NONCE_OCTETS, (const guint8 *) name, strlen(name),
                                                       sealed.data, key) != 0) {
                text_wipe(password, sealed.len);
                g_free(password);
                (void) fault(error, FAULT_INPUT, "its password does not open with this site's key: set it again");
                return NULL;
        }
        return password;
}
