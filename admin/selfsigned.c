#include "admin/selfsigned.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "base/xmalloc.h"

#define DAYS	3650

static bool
extension_add(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	bool ok = ext != NULL && X509_add_ext(x, ext, -1) == 1;

	X509_EXTENSION_free(ext);
	return ok;
}

static bool
names_set(X509 *x, const char *host)
{
	X509_NAME *name = X509_get_subject_name(x);
	char *alt = xasprintf("DNS:%s,DNS:localhost,IP:127.0.0.1,IP:::1",
	    host);
	bool ok;

	ok = X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	    (const unsigned char *)host, -1, -1, 0) == 1 &&
	    X509_set_issuer_name(x, name) == 1 &&
	    extension_add(x, NID_basic_constraints, "critical,CA:FALSE") &&
	    extension_add(x, NID_subject_alt_name, alt);
	free(alt);
	return ok;
}

static X509 *
certificate_make(const char *host, EVP_PKEY *key)
{
	X509 *x = X509_new();
	unsigned char serial[8];
	BIGNUM *bn = NULL;
	bool ok;

	ok = x != NULL && RAND_bytes(serial, sizeof(serial)) == 1;
	serial[0] &= 0x7f;
	ok = ok && (bn = BN_bin2bn(serial, sizeof(serial), NULL)) != NULL &&
	    BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x)) != NULL &&
	    X509_set_version(x, 2) == 1 &&
	    X509_gmtime_adj(X509_getm_notBefore(x), -3600) != NULL &&
	    X509_gmtime_adj(X509_getm_notAfter(x), 86400L * DAYS) != NULL &&
	    X509_set_pubkey(x, key) == 1 && names_set(x, host) &&
	    X509_sign(x, key, EVP_sha256()) > 0;
	BN_free(bn);
	if (!ok) {
		X509_free(x);
		return NULL;
	}
	return x;
}

static FILE *
file_make(const char *path, mode_t mode, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	FILE *f = fd == -1 ? NULL : fdopen(fd, "w");

	if (f == NULL)
		err_errno(err, "%s", path);
	return f;
}

static int
pair_write(X509 *x, EVP_PKEY *pkey, const char *cert, const char *key,
    struct err *err)
{
	FILE *c = NULL, *k;
	bool ok = false;

	k = file_make(key, 0600, err);
	if (k != NULL)
		c = file_make(cert, 0644, err);
	if (k != NULL && c != NULL) {
		ok = PEM_write_PrivateKey(k, pkey, NULL, NULL, 0, NULL,
		    NULL) == 1 && PEM_write_X509(c, x) == 1;
		if (!ok)
			err_set(err, ERR_PERM, PS_EIO, "%s: not written",
			    cert);
	}
	if (k != NULL && fclose(k) != 0 && ok) {
		err_errno(err, "%s", key);
		ok = false;
	}
	if (c != NULL && fclose(c) != 0 && ok) {
		err_errno(err, "%s", cert);
		ok = false;
	}
	return ok ? 0 : err == NULL ? PS_EIO : err->code;
}

int
selfsigned_write(const char *host, const char *cert, const char *key,
    struct err *err)
{
	EVP_PKEY *pkey = EVP_EC_gen("P-256");
	X509 *x = pkey == NULL ? NULL : certificate_make(host, pkey);
	int rc;

	if (x == NULL)
		rc = err_set(err, ERR_BUG, PS_EIO,
		    "OpenSSL made no certificate for %s", host);
	else
		rc = pair_write(x, pkey, cert, key, err);
	X509_free(x);
	EVP_PKEY_free(pkey);
	return rc;
}
