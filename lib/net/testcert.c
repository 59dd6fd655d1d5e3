#include "net/testcert.h"

#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/xmalloc.h"

static void
must(int ok)
{
	if (!ok)
		abort();
}

static void
cert_names(X509 *x, const char *host)
{
	X509_NAME *name = X509_get_subject_name(x);
	char *alt = xasprintf("DNS:%s,DNS:*.%s", host, host);
	X509_EXTENSION *ext;

	must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)host, -1, -1, 0));
	must(X509_set_issuer_name(x, name));
	ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alt);
	must(ext != NULL && X509_add_ext(x, ext, -1));
	X509_EXTENSION_free(ext);
	free(alt);
}

static X509 *
cert_make(const char *host, unsigned faults, EVP_PKEY *key)
{
	X509 *x = X509_new();
	long from = -3600, to = 3600;

	if (faults & TESTCERT_EXPIRED)
		to = -60;
	if (faults & TESTCERT_FUTURE)
		from = 1800;
	must(x != NULL && X509_set_version(x, 2));
	must(ASN1_INTEGER_set(X509_get_serialNumber(x), 1));
	must(X509_gmtime_adj(X509_getm_notBefore(x), from) != NULL);
	must(X509_gmtime_adj(X509_getm_notAfter(x), to) != NULL);
	must(X509_set_pubkey(x, key));
	cert_names(x, host);
	must(X509_sign(x, key, EVP_sha256()) > 0);
	return x;
}

void
testcert_make(const char *host, unsigned faults, struct buf *pem)
{
	EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
	X509 *x = cert_make(host, faults, key);
	BIO *b = BIO_new(BIO_s_mem());
	char *text;
	long n;

	if (!(faults & TESTCERT_NO_CERT))
		must(PEM_write_bio_X509(b, x));
	if (!(faults & TESTCERT_NO_KEY))
		must(PEM_write_bio_PrivateKey(b,
		    faults & TESTCERT_WRONG_KEY ? other : key, NULL, NULL, 0,
		    NULL, NULL));
	n = BIO_get_mem_data(b, &text);
	if (n > 0)
		buf_append(pem, text, (size_t)n);
	BIO_free(b);
	X509_free(x);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
}
