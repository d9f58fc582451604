#include "imap/threads.h"

#include <string.h>

#define IDS_MAX 8

/* A message as a test writes it. */
typedef struct Mail {
        guint32 number;
        Usec sent;
        guint64 id;
        guint64 references[IDS_MAX]; /* ends with a 0 */
        guint64 subject;
        gboolean is_reply;
        Usec received; /* 0: the number */
} Mail;

static char *
text_of(Threads *t, gsize room)
{
        GString *text = g_string_new(NULL);
        char buffer[1024];

        for (gsize n; (n = threads_text(t, buffer, room)) > 0;)
                g_string_append_len(text, buffer, (gssize) n);
        return g_string_free(text, FALSE);
}

static Threads *
threads_of(ThreadAlgorithm algorithm, const Mail *mails, gsize n)
{
        Threads *t = threads_new(algorithm);

        for (gsize i = 0; i < n; i++) {
                const Mail *m = &mails[i];
                guint n_references = 0;
                while (n_references < IDS_MAX && m->references[n_references] != 0)
                        n_references++;
                const ThreadMessage message = {.number = m->number,
                                               .sent = m->sent,
                                               .received = m->received != 0 ? m->received : m->number,
                                               .id = m->id,
                                               .references = m->references,
                                               .n_references = n_references,
                                               .subject = m->subject,
                                               .is_reply = m->is_reply};
                g_assert_true(threads_add(t, &message));
        }
        g_assert_true(threads_arrange(t));
        return t;
}

static void
check(ThreadAlgorithm algorithm, const Mail *mails, gsize n, const char *expected)
{
        for (gsize room = 32; room <= 1024; room += 992) {
                g_autoptr(Threads) t = threads_of(algorithm, mails, n);
                g_autofree char *text = text_of(t, room);
                g_assert_cmpstr(text, ==, expected);
        }
}

#define CHECK(algorithm, mails, expected) check((algorithm), (mails), G_N_ELEMENTS(mails), (expected))

static void
nothing(void)
{
        check(THREAD_ORDEREDSUBJECT, NULL, 0, "");
        check(THREAD_REFERENCES, NULL, 0, "");
        check(THREAD_REFS, NULL, 0, "");
}

static void
subjects(void)
{
        static const Mail mails[] = {
                {.number = 194, .sent = 30, .subject = 1}, {.number = 195, .sent = 31, .subject = 1},
                {.number = 196, .sent = 32, .subject = 2}, {.number = 197, .sent = 33, .subject = 2},
                {.number = 198, .sent = 34, .subject = 2}, {.number = 199, .sent = 35, .subject = 3},
                {.number = 200, .sent = 36, .subject = 4}, {.number = 201, .sent = 38, .subject = 5},
                {.number = 202, .sent = 37, .subject = 4}, {.number = 203, .sent = 1, .subject = 6},
        };

        CHECK(THREAD_ORDEREDSUBJECT, mails, "(203)(194 195)(196 (197)(198))(199)(200 202)(201)");
}

static void
response(void)
{
        static const Mail mails[] = {
                {.number = 2, .sent = 1, .id = 2},
                {.number = 3, .sent = 2, .id = 3},
                {.number = 4, .sent = 4, .id = 4, .references = {3, 6}},
                {.number = 6, .sent = 3, .id = 6, .references = {3}},
                {.number = 7, .sent = 6, .id = 7, .references = {3, 6, 44}},
                {.number = 23, .sent = 8, .id = 23, .references = {4}},
                {.number = 44, .sent = 5, .id = 44, .references = {6}},
                {.number = 96, .sent = 7, .id = 96, .references = {7}},
        };
        static const Mail siblings[] = {
                {.number = 3, .sent = 1, .id = 3, .references = {1}},
                {.number = 5, .sent = 2, .id = 5, .references = {1}},
        };

        CHECK(THREAD_REFERENCES, mails, "(2)(3 6 (4 23)(44 7 96))");
        CHECK(THREAD_REFS, mails, "(2)(3 6 (4 23)(44 7 96))");
        CHECK(THREAD_REFERENCES, siblings, "((3)(5))");
}

/* Step 1: truncated References, ids that are there twice or not at all, loops. */
static void
linking(void)
{
        static const Mail own_word_counts[] = {
                {.number = 1, .sent = 1, .id = 1},
                {.number = 2, .sent = 2, .id = 2, .references = {1, 3}}, /* says 1 is the parent of 3 */
                {.number = 3, .sent = 3, .id = 3},                       /* which 3 does not say      */
        };
        static const Mail twice[] = {
                {.number = 1, .sent = 1, .id = 1},
                {.number = 2, .sent = 2, .id = 1},
                {.number = 3, .sent = 3, .id = 3, .references = {1}},
        };
        static const Mail loop[] = {
                {.number = 1, .sent = 1, .id = 1, .references = {2}},
                {.number = 2, .sent = 2, .id = 2, .references = {1}},
        };
        static const Mail itself[] = {{.number = 1, .sent = 1, .id = 1, .references = {1, 1}}};
        static const Mail without_id[] = {{.number = 1, .sent = 2}, {.number = 2, .sent = 1}};
        static const Mail missing_between[] = {
                {.number = 1, .sent = 1, .id = 1},
                {.number = 2, .sent = 2, .id = 2, .references = {1, 8, 9}},
        };

        CHECK(THREAD_REFS, own_word_counts, "(1)(3 2)");
        CHECK(THREAD_REFS, twice, "(2)(1 3)");
        CHECK(THREAD_REFS, loop, "(2 1)");
        CHECK(THREAD_REFS, itself, "(1)");
        CHECK(THREAD_REFERENCES, without_id, "(2)(1)");
        CHECK(THREAD_REFERENCES, missing_between, "(1 2)");
}

/* Step 3. */
static void
dummies(void)
{
        static const Mail one_child[] = {{.number = 1, .sent = 1, .id = 1, .references = {7, 8, 9}}};
        static const Mail two_deep[] = {
                {.number = 1, .sent = 1, .id = 1, .references = {7, 8}},
                {.number = 2, .sent = 2, .id = 2, .references = {7, 9}},
                {.number = 3, .sent = 3, .id = 3, .references = {7, 9}},
        };

        CHECK(THREAD_REFS, one_child, "(1)");
        CHECK(THREAD_REFS, two_deep, "((1)(2)(3))");
}

/* Step 5: the table of subjects, for each line of its rules. */
static void
same_subject(void)
{
        static const Mail reply_first[] = {
                {.number = 1, .sent = 1, .id = 1, .subject = 5, .is_reply = TRUE},
                {.number = 2, .sent = 2, .id = 2, .subject = 5},
        };
        static const Mail two_originals[] = {
                {.number = 1, .sent = 1, .id = 1, .subject = 5},
                {.number = 2, .sent = 2, .id = 2, .subject = 5},
                {.number = 3, .sent = 3, .id = 3, .subject = 5, .is_reply = TRUE},
        };
        static const Mail two_dummies[] = {
                {.number = 1, .sent = 1, .id = 1, .subject = 5, .references = {8}},
                {.number = 2, .sent = 2, .id = 2, .subject = 5, .references = {8}},
                {.number = 3, .sent = 3, .id = 3, .subject = 5, .references = {9}},
                {.number = 4, .sent = 4, .id = 4, .subject = 5, .references = {9}},
        };
        static const Mail to_a_dummy[] = {
                {.number = 1, .sent = 1, .id = 1, .subject = 5},
                {.number = 2, .sent = 2, .id = 2, .subject = 5, .references = {9}},
                {.number = 3, .sent = 3, .id = 3, .subject = 5, .references = {9}},
        };
        static const Mail no_subject[] = {{.number = 1, .sent = 1, .id = 1},
                                          {.number = 2, .sent = 2, .id = 2, .is_reply = TRUE}};

        CHECK(THREAD_REFERENCES, reply_first, "(2 1)");
        CHECK(THREAD_REFERENCES, two_originals, "((1)(2)(3))");
        CHECK(THREAD_REFERENCES, two_dummies, "((1)(2)(3)(4))");
        CHECK(THREAD_REFERENCES, to_a_dummy, "((1)(2)(3))");
        CHECK(THREAD_REFERENCES, no_subject, "(1)(2)");
        CHECK(THREAD_REFS, reply_first, "(1)(2)");
}

static void
latest_last(void)
{
        static const Mail mails[] = {
                {.number = 1, .sent = 1, .id = 1, .received = 10},
                {.number = 2, .sent = 5, .id = 2, .received = 20},
                {.number = 3, .sent = 9, .id = 3, .received = 30, .references = {1}},
                {.number = 4, .sent = 8, .id = 4, .received = 25, .references = {1}},
        };

        CHECK(THREAD_REFERENCES, mails, "(1 (4)(3))(2)");
        CHECK(THREAD_REFS, mails, "(2)(1 (4)(3))");
}

/* A model: RFC 5256 §3 word by word, with lists and walking -------------------------------------------------------- */

typedef struct Model {
        const Mail *mail; /* NULL: a dummy */
        guint64 id;
        struct Model *parent;
        GPtrArray *children;
} Model;

static Model *
model_new(const Mail *mail, guint64 id)
{
        Model *m = g_new0(Model, 1);

        m->mail = mail;
        m->id = id;
        m->children = g_ptr_array_new();
        return m;
}

static void
model_move(Model *node, Model *parent)
{
        if (node->parent != NULL)
                g_ptr_array_remove(node->parent->children, node);
        node->parent = parent;
        if (parent != NULL)
                g_ptr_array_add(parent->children, node);
}

static gboolean
model_is_below(const Model *node, const Model *above)
{
        for (; node != NULL; node = node->parent)
                if (node == above)
                        return TRUE;
        return FALSE;
}

static Model *
model_find(GPtrArray *all, guint64 id)
{
        for (guint i = 0; i < all->len && id != 0; i++)
                if (((Model *) all->pdata[i])->id == id)
                        return all->pdata[i];
        return NULL;
}

static Model *
model_get(GPtrArray *all, guint64 id)
{
        Model *m = model_find(all, id);

        if (m == NULL)
                g_ptr_array_add(all, m = model_new(NULL, id));
        return m;
}

static void
model_link(GPtrArray *all, const Mail *mail)
{
        Model *m = model_find(all, mail->id), *previous = NULL;

        if (m == NULL || m->mail != NULL)
                g_ptr_array_add(all, m = model_new(NULL, m == NULL ? mail->id : 0));
        m->mail = mail;
        for (guint i = 0; i < IDS_MAX && mail->references[i] != 0; i++) {
                Model *next = model_get(all, mail->references[i]);
                if (previous != NULL && next->parent == NULL && !model_is_below(previous, next))
                        model_move(next, previous);
                previous = next;
        }
        model_move(m, NULL);
        if (previous != NULL && !model_is_below(previous, m))
                model_move(m, previous);
}

/* Step 3 below a node; is_root: of the root. */
static void
model_prune(Model *node, gboolean is_root)
{
        for (guint i = 0; i < node->children->len;) {
                Model *child = node->children->pdata[i];
                model_prune(child, FALSE);
                if (child->mail != NULL || (is_root && child->children->len > 1)) {
                        i++;
                        continue;
                }
                while (child->children->len > 0)
                        model_move(child->children->pdata[0], node);
                g_ptr_array_remove(node->children, child);
                child->parent = NULL;
                i = 0;
        }
}

static const Mail *
model_key(const Model *m)
{
        return m->mail != NULL ? m->mail : ((Model *) m->children->pdata[0])->mail;
}

static int
model_compare(gconstpointer a, gconstpointer b)
{
        const Mail *x = model_key(*(Model *const *) a), *y = model_key(*(Model *const *) b);

        if (x->sent != y->sent)
                return x->sent < y->sent ? -1 : 1;
        return x->number < y->number ? -1 : x->number > y->number;
}

static void
model_sort(Model *node)
{
        for (guint i = 0; i < node->children->len; i++)
                model_sort(node->children->pdata[i]);
        g_ptr_array_sort(node->children, model_compare);
}

static void
model_merge(Model *root, GPtrArray *all)
{
        g_autoptr(GPtrArray) tops = g_ptr_array_new();
        Model *table[16] = {NULL};

        for (guint i = 0; i < root->children->len; i++) {
                Model *top = root->children->pdata[i];
                g_ptr_array_add(tops, top);
                guint64 subject = model_key(top)->subject;
                if (subject == 0)
                        continue;
                Model *known = table[subject];
                if (known == NULL ||
                    (known->mail != NULL && (top->mail == NULL || (known->mail->is_reply && !top->mail->is_reply))))
                        table[subject] = top;
        }
        for (guint i = 0; i < tops->len; i++) {
                Model *top = tops->pdata[i];
                guint64 subject = model_key(top)->subject;
                Model *known = subject != 0 ? table[subject] : NULL;
                if (known == NULL || known == top || top->parent == known)
                        continue;
                if (top->mail == NULL) {
                        while (top->children->len > 0)
                                model_move(top->children->pdata[0], known);
                        model_move(top, NULL);
                } else if (known->mail == NULL || (top->mail->is_reply && !known->mail->is_reply)) {
                        model_move(top, known);
                } else {
                        Model *both = model_new(NULL, 0);
                        g_ptr_array_add(all, both);
                        model_move(known, both);
                        model_move(top, both);
                        model_move(both, root);
                        table[subject] = both;
                }
        }
}

static void
model_write(const Model *m, GString *out)
{
        if (m->mail != NULL)
                g_string_append_printf(out, "%u", m->mail->number);
        if (m->mail != NULL && m->children->len > 0)
                g_string_append_c(out, ' ');
        for (guint i = 0; i < m->children->len; i++) {
                g_string_append(out, m->children->len > 1 ? "(" : "");
                model_write(m->children->pdata[i], out);
                g_string_append(out, m->children->len > 1 ? ")" : "");
        }
}

static char *
model_text(const Mail *mails, gsize n)
{
        g_autoptr(GPtrArray) all = g_ptr_array_new();
        Model *root = model_new(NULL, 0);
        GString *out = g_string_new(NULL);

        for (gsize i = 0; i < n; i++)
                model_link(all, &mails[i]);
        for (guint i = 0; i < all->len; i++)
                if (((Model *) all->pdata[i])->parent == NULL)
                        model_move(all->pdata[i], root);
        model_prune(root, TRUE);
        model_sort(root);
        model_merge(root, all);
        model_sort(root);
        for (guint i = 0; i < root->children->len; i++) {
                g_string_append_c(out, '(');
                model_write(root->children->pdata[i], out);
                g_string_append_c(out, ')');
        }
        g_ptr_array_add(all, root);
        for (guint i = 0; i < all->len; i++) {
                g_ptr_array_unref(((Model *) all->pdata[i])->children);
                g_free(all->pdata[i]);
        }
        return g_string_free(out, FALSE);
}

static void
as_the_model(void)
{
        enum { MAILS = 14, ROUNDS = 20000 };
        g_autoptr(GRand) random = g_rand_new_with_seed(5256);

        for (guint round = 0; round < ROUNDS; round++) {
                Mail mails[MAILS] = {0};
                gsize n = (gsize) g_rand_int_range(random, 1, MAILS + 1);
                for (gsize i = 0; i < n; i++) {
                        mails[i].number = (guint32) i + 1;
                        mails[i].sent = g_rand_int_range(random, 1, 20);
                        mails[i].id = (guint64) g_rand_int_range(random, 0, 16);
                        mails[i].subject = (guint64) g_rand_int_range(random, 0, 8);
                        mails[i].is_reply = g_rand_boolean(random);
                        for (gint r = g_rand_int_range(random, 0, 5); r > 0; r--)
                                mails[i].references[r - 1] = (guint64) g_rand_int_range(random, 1, 20);
                }
                g_autofree char *expected = model_text(mails, n);
                check(THREAD_REFERENCES, mails, n, expected);
        }
}

/* Hostile mailboxes ------------------------------------------------------------------------------------------------ */

#define MANY 100000

static gsize
octets_of(ThreadAlgorithm algorithm, void (*make)(guint32 i, ThreadMessage *m, guint64 *references), GString *text)
{
        g_autoptr(Threads) t = threads_new(algorithm);
        guint64 references[50];
        char buffer[4096];

        for (guint32 i = 1; i <= MANY; i++) {
                ThreadMessage m = {.number = i, .sent = i, .received = i, .references = references};
                make(i, &m, references);
                g_assert_true(threads_add(t, &m));
        }
        g_assert_true(threads_arrange(t));
        for (gsize n; (n = threads_text(t, buffer, sizeof(buffer))) > 0;)
                g_string_append_len(text, buffer, (gssize) n);
        return text->len;
}

static void
make_chain(guint32 i, ThreadMessage *m, guint64 *references)
{
        m->id = i;
        references[0] = i - 1;
        m->n_references = i > 1;
        m->subject = i % 7;
}

static void
make_backward_chain(guint32 i, ThreadMessage *m, guint64 *references)
{
        m->id = MANY + 1 - i;
        references[0] = MANY - i;
        m->n_references = i < MANY;
}

static void
make_loops(guint32 i, ThreadMessage *m, guint64 *references)
{
        m->id = i;
        for (guint r = 0; r < 50; r++)
                references[r] = 1 + (i * 7919ull + r * 104729ull) % MANY;
        m->n_references = 50;
        m->subject = 1 + i % 3;
        m->is_reply = i % 2;
}

static void
make_equal(guint32 i, ThreadMessage *m, guint64 *references)
{
        m->id = 1;
        references[0] = 1;
        m->n_references = 1;
        m->subject = 1;
}

static void
make_strangers(guint32 i, ThreadMessage *m, guint64 *references)
{
        m->id = i;
        for (guint r = 0; r < 50; r++)
                references[r] = MANY + i * 50ull + r;
        m->n_references = 50;
}

/* Each message twice below the one before: parentheses as deep as can be. */
static void
make_deep(guint32 i, ThreadMessage *m, guint64 *references)
{
        m->id = i;
        references[0] = (i % 2 == 0 ? i : i - 1) - 1;
        m->n_references = i > 1;
}

static void
hostile(void)
{
        void (*const makes[])(guint32, ThreadMessage *, guint64 *) = {make_chain, make_backward_chain, make_loops,
                                                                      make_equal, make_strangers,      make_deep};
        static const ThreadAlgorithm algorithms[] = {THREAD_ORDEREDSUBJECT, THREAD_REFERENCES, THREAD_REFS};

        for (gsize a = 0; a < G_N_ELEMENTS(algorithms); a++)
                for (gsize i = 0; i < G_N_ELEMENTS(makes); i++) {
                        g_autoptr(GString) text = g_string_new(NULL);
                        gsize octets = octets_of(algorithms[a], makes[i], text), numbers = 0, depth = 0;
                        g_assert_cmpuint(octets, <=, MANY * 9ull);
                        for (gsize at = 0; at < text->len; at++) {
                                numbers += g_ascii_isdigit(text->str[at]) &&
                                           (at == 0 || !g_ascii_isdigit(text->str[at - 1]));
                                depth += text->str[at] == '(';
                                depth -= text->str[at] == ')';
                        }
                        g_assert_cmpuint(numbers, ==, MANY);
                        g_assert_cmpuint(depth, ==, 0);
                }
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/threads/no message, no thread", nothing);
        g_test_add_func("/imap/threads/RFC 5256 §3: ORDEREDSUBJECT has no grandchildren", subjects);
        g_test_add_func("/imap/threads/RFC 5256 §4: the examples of the response", response);
        g_test_add_func("/imap/threads/RFC 5256 §3 REFERENCES (1): linking", linking);
        g_test_add_func("/imap/threads/RFC 5256 §3 REFERENCES (3): dummies are pruned", dummies);
        g_test_add_func("/imap/threads/RFC 5256 §3 REFERENCES (5): threads of one subject", same_subject);
        g_test_add_func("/imap/threads/draft-ietf-morg-inthread §4: the latest arrival is last", latest_last);
        g_test_add_func("/imap/threads/RFC 5256 §3 REFERENCES: any messages, as the text says", as_the_model);
        g_test_add_func("/imap/threads/100,000 messages made to hurt", hostile);
        return g_test_run();
}
