// Command pulumi-resource-keycloak manages Keycloak through its Terraform provider.
package main

import (
	"github.com/keycloak/terraform-provider-keycloak/provider"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/info"
	sdkv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"

	"dive/toolchain/plugins/bridge"
)

var version string // set by the linker

func main() {
	bridge.Serve(bridge.Plugin{
		Name:     "keycloak",
		Provider: sdkv2.NewProvider(provider.KeycloakProvider(nil)),
		Modules:  []string{"authentication_", "ldap_", "oidc_", "openid_", "saml_"},
		Resources: map[string]bridge.Irregular{
			"keycloak_attribute_to_role_identity_provider_mapper": {Member: "AttributeToRoleIdentityMapper"},
			"keycloak_custom_identity_provider_mapper":            {Member: "CustomIdentityProviderMapping"},
			"keycloak_hardcoded_role_identity_provider_mapper":    {Member: "HardcodedRoleIdentityMapper"},
			"keycloak_openid_client_client_policy":                {Module: "openid", Member: "ClientPolicy"},
			"keycloak_realm_keystore_java_keystore":               {Member: "RealmKeystoreJavaGenerated"},
			"keycloak_saml_client_default_scopes":                 {Module: "saml", Member: "ClientDefaultScope"},
		},
		DataSources: map[string]bridge.Irregular{
			"keycloak_authentication_execution": {Member: "getAuthenticationExecution"},
			"keycloak_authentication_flow":      {Member: "getAuthenticationFlow"},
		},
		Config: map[string]*info.Schema{
			"client_timeout": {Default: &info.Default{Value: 5, EnvVars: []string{"KEYCLOAK_CLIENT_TIMEOUT"}}},
		},
	}, version)
}
