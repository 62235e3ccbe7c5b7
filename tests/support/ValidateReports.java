import com.pixelmed.validate.DicomSRValidator;

/** PixelMed's DicomSRValidator for many reports: its own command reads the templates anew for each, which takes most of the time. */
public class ValidateReports {
    public static void main(String[] paths) throws Exception {
        DicomSRValidator validator = new DicomSRValidator();
        for (String path : paths) {
            System.out.println("== " + path);
            System.out.print(validator.validate(path));
        }
    }
}
