#!/usr/bin/env bats
# Registries that ask who one is: htpasswd over TLS, tokens; login, logout, helpers.

load helpers

make_certificates() { # an authority in ca/ca.crt, the registry's own in cert.pem and key.pem
	mkdir "$files/ca"
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=tests-ca -keyout "$files/ca.key" -out "$files/ca/ca.crt"
	openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout "$files/key.pem" -out "$files/csr.pem"
	openssl x509 -req -in "$files/csr.pem" -days 2 -CA "$files/ca/ca.crt" -CAkey "$files/ca.key" -CAcreateserial \
		-extfile <(echo subjectAltName=DNS:localhost) -out "$files/cert.pem"
} 2>/dev/null

setup_file() {
	make_files
	make_certificates
	python3 -W ignore -c 'import crypt; print("me:" + crypt.crypt("se:cret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' \
		>"$files/htpasswd"
	make_image docker "$files/app.tar" --name app:1 --file etc/motd=hello
	export REGISTRY_HTTP_TLS_CERTIFICATE=$files/cert.pem REGISTRY_HTTP_TLS_KEY=$files/key.pem
	start_registry locked "auth: {htpasswd: {realm: tests, path: $files/htpasswd}}"
	unset REGISTRY_HTTP_TLS_CERTIFICATE REGISTRY_HTTP_TLS_KEY
	locked=$registry
	serve tokens token --cert "$files/cert.pem" --key "$files/key.pem" --user me --password se:cret
	start_registry token \
		"auth: {token: {realm: \"http://localhost:$port/token\", service: registry, issuer: tests, rootcertbundle: $files/cert.pem}}"
	export locked token=$registry
	sk copy -q --dest-cert-dir "$files/ca" --dest-creds me:se:cret "docker-archive:$files/app.tar" "docker://$locked/app:1"
	sk copy -q --dest-tls-verify=false --dest-creds me:se:cret "docker-archive:$files/app.tar" "docker://$token/app:1"
}
teardown_file() { drop_files; }

login() { printf '%s\n' "$1" | nacre login -u me --password-stdin "${@:2}"; }

@test "a certificate that nobody vouches for is refused, one of --cert-dir is taken" {
	export REGISTRY_AUTH_FILE=$work/auth.json
	fails 69 nacre pull -q "$locked/app:1"
	says certificate
	fails 77 nacre pull -q --cert-dir "$files/ca" "$locked/app:1"
	fails 77 nacre pull -q --cert-dir "$files/ca" --creds me:wrong "$locked/app:1"
	nacre pull -q --cert-dir "$files/ca" --creds me:se:cret "$locked/app:1"
	nacre cat "$locked/app:1:/etc/motd"
}

@test "who wants a certificate from the client gets the one that certs.d has for it" {
	local known
	export REGISTRY_AUTH_FILE=$work/auth.json HOME=$work/home
	openssl req -newkey rsa:2048 -nodes -subj /CN=client -keyout client.key -out client.csr 2>/dev/null
	openssl x509 -req -in client.csr -days 2 -CA "$files/ca/ca.crt" -CAkey "$files/ca.key" -CAcreateserial -out client.cert 2>/dev/null
	export REGISTRY_HTTP_TLS_CERTIFICATE=$files/cert.pem REGISTRY_HTTP_TLS_KEY=$files/key.pem
	export REGISTRY_HTTP_TLS_CLIENTCAS="[$files/ca/ca.crt]"
	start_registry mutual
	unset REGISTRY_HTTP_TLS_CERTIFICATE REGISTRY_HTTP_TLS_KEY REGISTRY_HTTP_TLS_CLIENTCAS
	known=$HOME/.config/containers/certs.d/$registry
	mkdir -p "$known"
	cp "$files/ca/ca.crt" "$known"
	nacre load -q -i "$files/app.tar"
	fails 69 nacre push -q app:1 "$registry/app:1"
	cp client.cert client.key "$known"
	nacre push -q app:1 "$registry/app:1"
	nacre pull -q "$registry/app:1"
}

@test "login proves credentials and keeps them, 0600, beside what is there; logout forgets them" {
	export REGISTRY_AUTH_FILE=$work/auth.json
	echo '{"auths": {"other.example": {"auth": "YTox"}}, "more": 1}' >auth.json
	fails 77 login wrong --cert-dir "$files/ca" "$locked"
	[ "$(jq -c '.auths | keys' auth.json)" = '["other.example"]' ]
	login se:cret --cert-dir "$files/ca" "$locked"
	[ "$(stat -c %a auth.json)" = 600 ]
	[ "$(jq -r ".auths.\"$locked\".auth" auth.json | base64 -d)" = me:se:cret ]
	[ "$(jq .more auth.json)" = 1 ]
	[ "$(nacre login --get-login "$locked")" = me ]
	nacre pull -q --cert-dir "$files/ca" "$locked/app:1"
	skopeo login --get-login --authfile auth.json "$locked"
	nacre logout "$locked"
	[ "$(jq -c '.auths | keys' auth.json)" = '["other.example"]' ]
	fails 2 nacre logout "$locked"
	fails 2 nacre login --get-login "$locked"
}

@test "what skopeo keeps is found" {
	export REGISTRY_AUTH_FILE=$work/auth.json
	skopeo login --cert-dir "$files/ca" -u me -p se:cret "$locked"
	[ "$(nacre login --get-login "$locked")" = me ]
	nacre pull -q --cert-dir "$files/ca" "$locked/app:1"
}

@test "tokens: with the right credentials, and not with others" {
	export REGISTRY_AUTH_FILE=$work/auth.json
	fails 77 pull "$token/app:1"
	fails 77 login wrong --tls-verify=false "$token"
	login se:cret --tls-verify=false "$token"
	pull "$token/app:1"
	grep -q "authorization=Basic" "$files/tokens/log"
}

# A registry whose tokens come from a server of their own, behind the proxy of faults.
start_expiring() { # SECONDS
	serve "tokens$1" token --cert "$files/cert.pem" --key "$files/key.pem" --user me --password se:cret --expires "$1"
	start_registry "expiring$1" \
		"auth: {token: {realm: \"http://localhost:$port/token\", service: registry, issuer: tests, rootcertbundle: $files/cert.pem}}"
}

@test "a token that expires on the way is asked for anew, one that never counts is refused" {
	export REGISTRY_AUTH_FILE=$work/auth.json
	# two seconds from now on
	start_expiring -58
	sk copy -q --dest-tls-verify=false --dest-creds me:se:cret "docker-archive:$files/app.tar" "docker://$registry/app:1"
	start_faulty
	login se:cret --tls-verify=false "$faulty"
	: >"$files/tokens-58/log"
	echo "later 1 /blobs/" >"$files/faults"
	pull "$faulty/app:1"
	[ "$(grep -c "^GET /token.*app" "$files/tokens-58/log")" = 2 ]
	start_expiring -1000
	fails 77 nacre pull -q --creds me:se:cret --tls-verify=false "$registry/app:1"
	[ "$(grep -c "^GET /token" "$files/tokens-1000/log")" -le 4 ]
}

@test "pushes: with credentials, and with tokens for both repositories of a mount" {
	export REGISTRY_AUTH_FILE=$work/auth.json
	nacre load -q -i "$files/app.tar"
	fails 77 nacre push -q --cert-dir "$files/ca" app:1 "$locked/pushed:1"
	fails 77 push app:1 "$token/pushed:1"
	[ ! -s auth.json ]
	fails 77 nacre push -q --cert-dir "$files/ca" --creds me:wrong app:1 "$locked/pushed:1"
	digest=$(nacre push -q --cert-dir "$files/ca" --creds me:se:cret app:1 "$locked/pushed:1")
	[ "$(sk inspect --cert-dir "$files/ca" --creds me:se:cret --format '{{.Digest}}' "docker://$locked/pushed:1")" = "$digest" ]
	login se:cret --tls-verify=false "$token"
	[ "$(push app:1 "$token/pushed:1")" = "$digest" ]
	pull "$token/pushed:1"
	push "$token/pushed:1" "$token/again:1"
	requests token | grep -q '^POST /v2/again/blobs/uploads/?mount=sha256:.*&from=pushed'
	[ "$(requests token | grep -c '^PATCH /v2/again/\|^PUT /v2/again/blobs')" = 0 ]
	[ "$(sk inspect --tls-verify=false --creds me:se:cret --format '{{.Digest}}' "docker://$token/again:1")" = "$digest" ]
}

@test "a refresh token of a helper" {
	export REGISTRY_AUTH_FILE=$work/auth.json
	mkdir bin
	printf '#!/bin/sh\nprintf %s\n' "'{\"Username\":\"<token>\",\"Secret\":\"refresh-se:cret\"}'" >bin/docker-credential-tests
	chmod +x bin/docker-credential-tests
	echo "{\"credHelpers\": {\"$token\": \"tests\"}}" >auth.json
	PATH=$work/bin:$PATH pull "$token/app:1"
	fails 2 pull "$token/app:1"
	says "docker-credential-tests"
}

@test "wrong uses of login and logout" {
	export REGISTRY_AUTH_FILE=$work/auth.json
	fails 64 nacre login "$locked" </dev/null
	says "no terminal"
	fails 64 nacre login --password-stdin "$locked"
	fails 64 login x no-host
	fails 64 nacre logout
	fails 64 nacre logout --all "$locked"
	printf '{\n"auths": nonsense' >auth.json
	fails 65 nacre login --get-login "$locked"
	says "line 2"
	[ "$(head -1 auth.json)" = "{" ]
}
