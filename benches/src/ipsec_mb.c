// AES-128-GCM by intel-ipsec-mb: what its header has as macros, as functions.
#include <intel-ipsec-mb.h>
#include <stdint.h>
#include <stdlib.h>

struct adit_gcm {
    IMB_MGR *manager;
    struct gcm_key_data *key;
};

struct adit_gcm *adit_gcm_new(const uint8_t key[16]) {
    struct adit_gcm *gcm = calloc(1, sizeof *gcm);
    if (gcm == NULL) return NULL;
    gcm->manager = alloc_mb_mgr(0);
    gcm->key = aligned_alloc(64, (sizeof *gcm->key + 63) / 64 * 64);
    if (gcm->manager == NULL || gcm->key == NULL) abort();
    init_mb_mgr_auto(gcm->manager, NULL);
    IMB_AES128_GCM_PRE(gcm->manager, key, gcm->key);
    return gcm;
}

void adit_gcm_free(struct adit_gcm *gcm) {
    free_mb_mgr(gcm->manager);
    free(gcm->key);
    free(gcm);
}

// The tag is written behind the text.
void adit_gcm_seal(struct adit_gcm *gcm, uint8_t *text, uint64_t len, const uint8_t nonce[12],
                   const uint8_t *aad, uint64_t aad_len) {
    struct gcm_context_data context;
    IMB_AES128_GCM_ENC(gcm->manager, gcm->key, &context, text, text, len, nonce, aad, aad_len,
                       text + len, 16);
}
