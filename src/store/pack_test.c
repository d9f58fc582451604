/* pack_test.c -- parts of packs: what is put in comes out, and what is damaged is said to be. */
#include "store/pack.h"

#include "blob/copy.h"

static PackedPart *
there_and_back(const Span *items, guint n)
{
        g_autoptr(Packer) packer = packer_new();
        g_autoptr(Unpacker) unpacker = unpacker_new();
        g_autoptr(GByteArray) data = g_byte_array_new();

        part_put(packer, data, items, n);
        PackedPart *part = part_get(unpacker, span_make(data->data, data->len));
        g_assert_nonnull(part);
        return part;
}

static void
test_items(void)
{
        const Span items[] = {span_of("(\"a\" NIL)"), SPAN_EMPTY, span_of(""), span_of("(\"a\" NIL)")};
        g_autoptr(PackedPart) part = there_and_back(items, 4);

        g_assert_cmpuint(part->n, ==, 4);
        g_assert_true(span_equal(part->items[0], items[0]) && span_equal(part->items[3], items[3]));
        g_assert_null(part->items[1].data);
        g_assert_nonnull(part->items[2].data);
        g_assert_cmpuint(part->items[2].len, ==, 0);
}

static void
test_many(void)
{
        g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
        Span items[PAGE_ENTRIES];

        for (guint i = 0; i < PAGE_ENTRIES; i++) {
                g_ptr_array_add(texts, g_strdup_printf("(\"Mon, 7 Feb 1994\" \"subject %u\" NIL NIL)", i));
                items[i] = span_of(texts->pdata[i]);
        }
        g_autoptr(PackedPart) part = there_and_back(items, PAGE_ENTRIES);
        g_assert_cmpuint(part->n, ==, PAGE_ENTRIES);
        for (guint i = 0; i < PAGE_ENTRIES; i++)
                g_assert_true(span_equal(part->items[i], items[i]));
}

/* Octets of chance are not made smaller by any method. */
static void
test_incompressible(void)
{
        g_autoptr(GRand) random = g_rand_new_with_seed(1);
        g_autofree guint8 *octets = g_malloc(PART_OCTETS_MAX);

        for (gsize i = 0; i < PART_OCTETS_MAX; i++)
                octets[i] = (guint8) g_rand_int(random);
        const Span items[] = {span_make(octets, 1), span_make(octets, PART_OCTETS_MAX - 1)};
        g_autoptr(PackedPart) part = there_and_back(items, 2);
        g_assert_true(span_equal(part->items[0], items[0]) && span_equal(part->items[1], items[1]));
}

static void
test_damaged(void)
{
        g_autoptr(Packer) packer = packer_new();
        g_autoptr(Unpacker) unpacker = unpacker_new();
        g_autoptr(GByteArray) data = g_byte_array_new();
        const Span items[] = {span_of("one"), span_of("two"), span_of("three")};

        part_put(packer, data, items, 3);
        for (guint len = 0; len < data->len; len++)
                g_assert_null(part_get(unpacker, span_make(data->data, len)));
        for (guint i = 0; i < data->len * 8; i++) {
                data->data[i / 8] ^= (guint8) (1 << i % 8);
                g_assert_null(part_get(unpacker, span_make(data->data, data->len)));
                data->data[i / 8] ^= (guint8) (1 << i % 8);
        }
        g_autoptr(PackedPart) part = part_get(unpacker, span_make(data->data, data->len));
        g_assert_nonnull(part);
}

static void
test_copy_items(void)
{
        g_autoptr(GByteArray) item = g_byte_array_new();
        g_autofree char *longest = g_strnfill(COPY_PREFIX_MAX, 'x');
        Span prefix, cuts;

        copy_item_put(item, span_of("P: 1\r\n"), span_of("\x05\x02"));
        g_assert_true(copy_item_get(span_make(item->data, item->len), &prefix, &cuts));
        g_assert_true(span_equal(prefix, span_of("P: 1\r\n")) && span_equal(cuts, span_of("\x05\x02")));
        g_byte_array_set_size(item, 0);
        copy_item_put(item, span_of(longest), SPAN_EMPTY);
        g_assert_true(copy_item_get(span_make(item->data, item->len), &prefix, &cuts));
        g_assert_cmpuint(prefix.len, ==, COPY_PREFIX_MAX);
        g_assert_cmpuint(cuts.len, ==, 0);
        g_assert_false(copy_item_get(SPAN_EMPTY, &prefix, &cuts));
        g_assert_false(copy_item_get(span_of("\x05"
                                             "abcd"),
                                     &prefix, &cuts));
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/store/pack/items-come-back-and-missing-ones-stay-missing", test_items);
        g_test_add_func("/store/pack/a-whole-pack-comes-back", test_many);
        g_test_add_func("/store/pack/what-does-not-compress-is-kept-as-it-is", test_incompressible);
        g_test_add_func("/store/pack/every-truncation-and-every-flipped-bit-is-found", test_damaged);
        g_test_add_func("/store/pack/prefix-and-cuts-of-a-copy-come-back", test_copy_items);
        return g_test_run();
}
