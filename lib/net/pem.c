#include "net/pem.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/log.h"
#include "base/xmalloc.h"

static int
pem_refuse(struct err *err, const char *what)
{
	unsigned long e = ERR_peek_last_error();
	const char *reason = e != 0 ? ERR_reason_error_string(e) : NULL;

	(void)err_set(err, ERR_PERM, PS_ESYNTAX, "%s%s%s", what,
	    reason != NULL ? ": " : "", reason != NULL ? reason : "");
	ERR_clear_error();
	return PS_ESYNTAX;
}

/* Instead of asking the terminal. */
static int
pem_no_password_cb(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static BIO *
pem_source(struct span pem)
{
	BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);

	if (b == NULL)
		log_fatal("out of memory");
	return b;
}

static int
pem_read_chain(struct pem_pair *p, BIO *from, struct err *err)
{
	X509 *x;

	p->leaf = PEM_read_bio_X509(from, NULL, pem_no_password_cb, NULL);
	if (p->leaf == NULL)
		return pem_refuse(err, "no certificate in it");
	while ((x = PEM_read_bio_X509(from, NULL, pem_no_password_cb,
	    NULL)) != NULL) {
		if (sk_X509_num(p->chain) >= PEM_CHAIN_MAX) {
			X509_free(x);
			return pem_refuse(err, "chain is too long");
		}
		if (sk_X509_push(p->chain, x) <= 0)
			log_fatal("out of memory");
	}
	/* the end of the text is one; anything else is a broken block */
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return pem_refuse(err, "broken certificate in the chain");
	ERR_clear_error();
	return 0;
}

/* Does OpenSSL take it (strength, match)? */
static int
pem_try(SSL_CTX *ctx, const struct pem_pair *p, struct err *err)
{
	SSL *ssl;
	int ok;

	if (X509_check_private_key(p->leaf, p->key) != 1)
		return pem_refuse(err, "key does not match the certificate");
	if ((ssl = SSL_new(ctx)) == NULL)
		log_fatal("out of memory for TLS");
	ok = SSL_use_cert_and_key(ssl, p->leaf, p->key, p->chain, 1);
	SSL_free(ssl);
	return ok == 1 ? 0 : pem_refuse(err, "certificate is refused");
}

struct pem_pair *
pem_pair_parse(SSL_CTX *ctx, struct span pem, struct err *err)
{
	struct pem_pair *p;
	BIO *bio;
	int ret;

	ERR_clear_error();
	if (pem.n > 2 * PEM_FILE_MAX) {
		(void)pem_refuse(err, "too long");
		return NULL;
	}
	p = xcalloc(1, sizeof(*p));
	if ((p->chain = sk_X509_new_null()) == NULL)
		log_fatal("out of memory");
	bio = pem_source(pem);
	ret = pem_read_chain(p, bio, err);
	BIO_free(bio);
	if (ret == 0) {
		bio = pem_source(pem);
		p->key = PEM_read_bio_PrivateKey(bio, NULL,
		    pem_no_password_cb, NULL);
		BIO_free(bio);
		ret = p->key == NULL ?
		    pem_refuse(err, "no usable private key with it") :
		    pem_try(ctx, p, err);
	}
	if (ret != 0)
		pem_pair_free(&p);
	return p;
}

void
pem_pair_free(struct pem_pair **pp)
{
	struct pem_pair *p = *pp;

	if (p == NULL)
		return;
	X509_free(p->leaf);
	sk_X509_pop_free(p->chain, X509_free);
	EVP_PKEY_free(p->key);
	free(p);
	*pp = NULL;
}

bool
pem_pair_in_time(const struct pem_pair *p, struct err *err)
{
	const char *why = NULL;

	if (X509_cmp_current_time(X509_get0_notAfter(p->leaf)) <= 0)
		why = "certificate has expired";
	else if (X509_cmp_current_time(X509_get0_notBefore(p->leaf)) >= 0)
		why = "certificate is not yet valid";
	if (why != NULL)
		(void)pem_refuse(err, why);
	return why == NULL;
}

int
pem_file_read(const char *path, struct buf *out, struct err *err)
{
	FILE *f = fopen(path, "re");
	size_t start = buf_len(out), n = 1;

	if (f == NULL)
		return err_errno(err, "%s", path);
	(void)setvbuf(f, NULL, _IONBF, 0);	/* no copy of the key in stdio */
	while (n > 0 && buf_len(out) - start <= PEM_FILE_MAX) {
		char *p = buf_reserve(out, 4096);

		if (p == NULL)
			break;
		n = fread(p, 1, 4096, f);
		buf_commit(out, n);
	}
	(void)fclose(f);
	buf_char(out, '\n');
	if (buf_failed(out) || buf_len(out) - start > PEM_FILE_MAX)
		return err_set(err, ERR_PERM, PS_ETOOBIG, "%s: too long",
		    path);
	return 0;
}
